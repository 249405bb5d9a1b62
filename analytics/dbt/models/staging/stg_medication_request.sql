select
  record.id as medication_request_id,
  landed.resource ->> 'status' as status,
  landed.resource ->> 'intent' as intent,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  {{ concept('landed.resource', 'medicationCodeableConcept', 'medication') }},
  {{ fhir_date("landed.resource ->> 'authoredOn'") }} as authored_on,
  {{ fhir_time("landed.resource ->> 'authoredOn'") }} as authored_at,
  {{ reference_id('landed.resource', 'requester', 'Practitioner') }} as requester_practitioner_id,
  {{ record_columns() }}
{{ from_landing('medication_request') }}
{{ join_tags() }}
