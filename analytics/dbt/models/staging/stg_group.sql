select
  record.id as group_id,
  {{ identifier('landed.resource') }} as identifier,
  landed.resource ->> 'name' as name,
  landed.resource ->> 'type' as type,
  jsonb_path_exists(
    landed.resource,
    '$.code.coding[*] ? (@.system == "http://snomed.info/sct" && @.code == "35359004")'
  ) as is_household,
  {{ concept('landed.resource', 'code', 'code') }},
  coalesce({{ fhir_boolean("landed.resource ->> 'active'") }}, true) as active,
  {{ fhir_number("landed.resource ->> 'quantity'") }} as quantity,
  {{ reference_id('landed.resource', 'managingEntity', 'Organization') }}
    as managing_organization_id,
  landed.resource -> 'member' as members,
  {{ record_columns() }}
{{ from_landing('group') }}
{{ join_tags() }}
