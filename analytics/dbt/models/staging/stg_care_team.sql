select
  record.id as care_team_id,
  landed.resource ->> 'name' as name,
  landed.resource ->> 'status' as status,
  {{ fhir_date("landed.resource #>> '{period,start}'") }} as starts_on,
  {{ fhir_date("landed.resource #>> '{period,end}'") }} as ends_on,
  jsonb_path_query_array(landed.resource, '$.participant[*].member.reference') as member_references,
  jsonb_path_query_array(landed.resource, '$.managingOrganization[*].reference')
    as managing_organization_references,
  {{ change_columns() }}
{{ from_landing('care_team') }}
