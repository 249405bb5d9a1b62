select
  record.id as organization_id,
  landed.resource ->> 'name' as name,
  coalesce({{ fhir_boolean("landed.resource ->> 'active'") }}, true) as active,
  {{ concept('landed.resource', 'type,0', 'type') }},
  {{ reference_id('landed.resource', 'partOf', 'Organization') }} as parent_id,
  {{ identifier('landed.resource') }} as identifier,
  {{ change_columns() }}
{{ from_landing('organization') }}
