select
  record.id as immunization_id,
  landed.resource ->> 'status' as status,
  {{ reference_id('landed.resource', 'patient', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  {{ concept('landed.resource', 'vaccineCode', 'vaccine') }},
  {{ fhir_date("landed.resource ->> 'occurrenceDateTime'") }} as given_on,
  {{ fhir_time("landed.resource ->> 'occurrenceDateTime'") }} as given_at,
  {{ fhir_precision("landed.resource ->> 'occurrenceDateTime'") }} as given_precision,
  landed.resource ->> 'occurrenceDateTime' as given_written,
  landed.resource ->> 'lotNumber' as lot_number,
  landed.resource #>> '{protocolApplied,0,series}' as series,
  {{ fhir_number("landed.resource #>> '{protocolApplied,0,doseNumberPositiveInt}'") }}
    as dose_number,
  {{ concept('landed.resource', 'statusReason', 'status_reason') }},
  {{ reference_id('landed.resource', 'location', 'Location') }} as given_location_id,
  {{ record_columns() }}
{{ from_landing('immunization') }}
{{ join_tags() }}
