select
  record.id as related_person_id,
  {{ reference_id('landed.resource', 'patient', 'Patient') }} as patient_id,
  {{ concept('landed.resource', 'relationship,0', 'relationship') }},
  {{ name_columns('landed.resource') }},
  landed.resource ->> 'gender' as gender,
  {{ fhir_date("landed.resource ->> 'birthDate'") }} as birth_date,
  {{ telecom('landed.resource', 'phone') }} as phone,
  {{ record_columns() }}
{{ from_landing('related_person') }}
{{ join_tags() }}
