select
  record.id as patient_id,
  {{ identifier('landed.resource') }} as identifier,
  {{ secondary_identifier('landed.resource') }} as secondary_identifier,
  {{ name_columns('landed.resource') }},
  landed.resource ->> 'gender' as gender,
  {{ fhir_date("landed.resource ->> 'birthDate'") }} as birth_date,
  {{ fhir_precision("landed.resource ->> 'birthDate'") }} as birth_date_precision,
  landed.resource ->> 'birthDate' as birth_date_written,
  coalesce(
    {{ fhir_boolean("landed.resource ->> 'deceasedBoolean'") }}, landed.resource ? 'deceasedDateTime'
  ) as deceased,
  {{ fhir_date("landed.resource ->> 'deceasedDateTime'") }} as deceased_on,
  {{ telecom('landed.resource', 'phone') }} as phone,
  coalesce({{ fhir_boolean("landed.resource ->> 'active'") }}, true) as active,
  landed.resource #>> '{address,0,city}' as address_city,
  landed.resource #>> '{address,0,district}' as address_district,
  {{ reference_id('landed.resource', 'managingOrganization', 'Organization') }}
    as managing_organization_id,
  {{ made_by_verify('landed.resource') }} as made_by_verify,
  {{ record_columns() }}
{{ from_landing('patient', with_verify=true) }}
{{ join_tags() }}
