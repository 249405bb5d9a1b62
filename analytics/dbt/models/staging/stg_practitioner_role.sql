select
  record.id as practitioner_role_id,
  coalesce({{ fhir_boolean("landed.resource ->> 'active'") }}, true) as active,
  {{ reference_id('landed.resource', 'practitioner', 'Practitioner') }} as practitioner_id,
  {{ reference_id('landed.resource', 'organization', 'Organization') }} as organization_id,
  {{ concept('landed.resource', 'code,0', 'code') }},
  {{ fhir_date("landed.resource #>> '{period,start}'") }} as starts_on,
  {{ fhir_date("landed.resource #>> '{period,end}'") }} as ends_on,
  jsonb_path_query_array(landed.resource, '$.location[*].reference') as location_references,
  {{ change_columns() }}
{{ from_landing('practitioner_role') }}
