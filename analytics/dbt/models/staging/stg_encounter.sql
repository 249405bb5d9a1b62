select
  record.id as encounter_id,
  landed.resource ->> 'status' as status,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'subject', 'Group') }} as household_id,
  landed.resource #>> '{class,code}' as class_code,
  {{ concept('landed.resource', 'type,0', 'type') }},
  {{ concept('landed.resource', 'reasonCode,0', 'reason') }},
  {{ fhir_date("landed.resource #>> '{period,start}'") }} as started_on,
  {{ fhir_time("landed.resource #>> '{period,start}'") }} as started_at,
  {{ fhir_date("landed.resource #>> '{period,end}'") }} as ended_on,
  {{ fhir_time("landed.resource #>> '{period,end}'") }} as ended_at,
  landed.resource #>> '{period,start}' as start_written,
  {{ reference_id('landed.resource', 'participant,0,individual', 'Practitioner') }}
    as participant_practitioner_id,
  {{ reference_id('landed.resource', 'location,0,location', 'Location') }} as visited_location_id,
  {{ reference_id('landed.resource', 'serviceProvider', 'Organization') }} as service_provider_id,
  {{ reference_id('landed.resource', 'partOf', 'Encounter') }} as part_of_encounter_id,
  {{ record_columns() }}
{{ from_landing('encounter') }}
{{ join_tags() }}
