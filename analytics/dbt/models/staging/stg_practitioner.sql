select
  record.id as practitioner_id,
  {{ identifier('landed.resource', 'official') }} as identifier,
  {{ identifier('landed.resource', 'secondary') }} as keycloak_user_id,
  {{ preferred('landed.resource', 'name', 'official') }} ->> 'family' as family_name,
  {{ given_names(preferred('landed.resource', 'name', 'official')) }} as given_names,
  landed.resource ->> 'gender' as gender,
  {{ telecom('landed.resource', 'phone') }} as phone,
  {{ telecom('landed.resource', 'email') }} as email,
  coalesce({{ fhir_boolean("landed.resource ->> 'active'") }}, true) as active,
  {{ change_columns() }}
{{ from_landing('practitioner') }}
