select
  record.id as practitioner_id,
  {{ identifier('landed.resource') }} as identifier,
  {{ secondary_identifier('landed.resource') }} as keycloak_user_id,
  {{ name_columns('landed.resource') }},
  landed.resource ->> 'gender' as gender,
  {{ telecom('landed.resource', 'phone') }} as phone,
  {{ telecom('landed.resource', 'email') }} as email,
  coalesce({{ fhir_boolean("landed.resource ->> 'active'") }}, true) as active,
  {{ change_columns() }}
{{ from_landing('practitioner') }}
