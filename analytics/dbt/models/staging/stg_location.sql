select
  record.id as location_id,
  landed.resource ->> 'name' as name,
  landed.resource ->> 'status' as status,
  {{ reference_id('landed.resource', 'partOf', 'Location') }} as parent_id,
  jsonb_path_query_first(
    landed.resource,
    '$.type[*].coding[*] ? (@.system == "https://smartregister.org/codes/administrative-level").code'
  ) #>> '{}' as administrative_level,
  {{ concept('landed.resource', 'physicalType', 'physical_type') }},
  {{ fhir_number("landed.resource #>> '{position,latitude}'") }} as latitude,
  {{ fhir_number("landed.resource #>> '{position,longitude}'") }} as longitude,
  {{ identifier('landed.resource') }} as identifier,
  {{ reference_id('landed.resource', 'managingOrganization', 'Organization') }}
    as managing_organization_id,
  {{ change_columns() }}
{{ from_landing('location') }}
