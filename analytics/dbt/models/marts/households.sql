{{ config(
  materialized='incremental',
  unique_key='household_id',
  indexes=[
    {'columns': ['household_id'], 'unique': true},
    {'columns': ['place_id']},
    {'columns': ['_airbyte_extracted_at', 'household_id']},
  ],
  pre_hook="{{ remove_outdated('group', 'household_id') }}",
) }}
select
  group_id as household_id,
  identifier,
  name,
  active,
  quantity,
  (
    select count(*) from jsonb_path_query(members, '$[*] ? (!(@.inactive == true))')
  )::int as members,
  managing_organization_id,
  place_id,
  app_version,
  care_team_id,
  practitioner_id,
  location_tag_id,
  organization_id,
  related_location_tag_id,
  last_updated,
  _airbyte_extracted_at
from {{ ref('stg_group') }}
where is_household {{ only_changed('group', 'group_id', 'household_id', word='and') }}
