select
  record.id as service_request_id,
  landed.resource ->> 'status' as status,
  landed.resource ->> 'intent' as intent,
  landed.resource ->> 'priority' as priority,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  {{ concept('landed.resource', 'code', 'code') }},
  {{ fhir_date("landed.resource ->> 'authoredOn'") }} as authored_on,
  {{ fhir_time("landed.resource ->> 'authoredOn'") }} as authored_at,
  {{ fhir_date("landed.resource ->> 'occurrenceDateTime'") }} as due_on,
  {{ fhir_time("landed.resource ->> 'occurrenceDateTime'") }} as due_at,
  {{ record_columns() }}
{{ from_landing('service_request') }}
{{ join_tags() }}
