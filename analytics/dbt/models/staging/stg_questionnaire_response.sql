select
  record.id as questionnaire_response_id,
  {{ fhir_key("substring(landed.resource ->> 'questionnaire' from '([^/|]+)(?:\|[^|]*)?$')") }}
    as questionnaire_id,
  landed.resource ->> 'questionnaire' as questionnaire,
  landed.resource ->> 'status' as status,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'subject', 'Group') }} as household_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  {{ fhir_date("landed.resource ->> 'authored'") }} as authored_on,
  {{ fhir_time("landed.resource ->> 'authored'") }} as authored_at,
  landed.resource ->> 'authored' as authored_written,
  {{ reference_id('landed.resource', 'author', 'Practitioner') }} as author_practitioner_id,
  {{ record_columns() }}
{{ from_landing('questionnaire_response') }}
{{ join_tags() }}
