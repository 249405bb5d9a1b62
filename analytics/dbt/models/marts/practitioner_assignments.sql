{{ config(
  indexes=[
    {'columns': ['practitioner_assignment_key'], 'unique': true},
    {'columns': ['practitioner_id']},
    {'columns': ['location_id']},
  ],
) }}
-- Where people work now: by role or care team to an organization, and by its affiliations to
-- places. What they recorded earlier keeps the place of its own tag.
with by_role as (
  select
    practitioner_id,
    'role' as via,
    practitioner_role_id as source_id,
    code as role_code,
    organization_id,
    active
      and coalesce(starts_on <= {{ today() }}, true)
      and coalesce(ends_on >= {{ today() }}, true) as active
  from {{ ref('stg_practitioner_role') }}
  where practitioner_id is not null
),

team_members as (
  select
    care_team_id,
    {{ target.schema }}.fhir_reference(member.value #>> '{}', 'Practitioner') as practitioner_id,
    {{ target.schema }}.fhir_reference(member.value #>> '{}', 'Organization') as organization_id
  from {{ ref('stg_care_team') }}
  cross join lateral jsonb_path_query(member_references, '$[*]') as member (value)
),

team_organizations as (
  select care_team_id, organization_id
  from team_members
  where organization_id is not null
  union
  select
    care_team_id, {{ target.schema }}.fhir_reference(manager.value #>> '{}', 'Organization')
  from {{ ref('stg_care_team') }}
  cross join lateral jsonb_path_query(managing_organization_references, '$[*]') as manager (value)
),

by_team as (
  select distinct
    team_members.practitioner_id,
    'care team' as via,
    team.care_team_id as source_id,
    null as role_code,
    team_organizations.organization_id,
    coalesce(team.status, 'active') = 'active'
      and coalesce(team.starts_on <= {{ today() }}, true)
      and coalesce(team.ends_on >= {{ today() }}, true) as active
  from team_members
  inner join {{ ref('stg_care_team') }} as team using (care_team_id)
  left join team_organizations using (care_team_id)
  where team_members.practitioner_id is not null
),

assigned as (
  select * from by_role
  union all
  select * from by_team
),

-- A role may also name its places itself.
places as (
  select
    'organization' as of_type,
    affiliation.organization_id as of_id,
    {{ target.schema }}.fhir_reference(place.value #>> '{}', 'Location') as location_id,
    affiliation.active
      and coalesce(affiliation.starts_on <= {{ today() }}, true)
      and coalesce(affiliation.ends_on >= {{ today() }}, true) as active
  from {{ ref('stg_organization_affiliation') }} as affiliation
  cross join lateral jsonb_path_query(affiliation.location_references, '$[*]') as place (value)
  union all
  select
    'role',
    practitioner_role_id,
    {{ target.schema }}.fhir_reference(place.value #>> '{}', 'Location'),
    true
  from {{ ref('stg_practitioner_role') }}
  cross join lateral jsonb_path_query(location_references, '$[*]') as place (value)
),

rows as (
  select
    assigned.practitioner_id,
    assigned.via,
    assigned.source_id,
    assigned.role_code,
    assigned.organization_id,
    places.location_id,
    bool_or(assigned.active and coalesce(places.active, true)) as active
  from assigned
  left join places
    on (places.of_type = 'organization' and places.of_id = assigned.organization_id)
    or (places.of_type = 'role' and assigned.via = 'role' and places.of_id = assigned.source_id)
  group by 1, 2, 3, 4, 5, 6
)

select
  concat_ws(
    '#', practitioner_id, via, source_id, coalesce(organization_id, ''), coalesce(location_id, '')
  ) as practitioner_assignment_key,
  *
from rows
