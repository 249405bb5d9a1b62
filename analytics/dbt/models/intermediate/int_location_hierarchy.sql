-- Parents are what people typed: a parent may be missing, and places may lead to each other in a
-- circle. A place without a known parent is a root; a circle is cut at its smallest id. So every
-- place has exactly one path.
with recursive locations as (
  select location_id, name, parent_id from {{ ref('stg_location') }}
),

-- Every place with what is above it, up to where the way ends or comes back.
above as (
  select location_id, parent_id as ancestor_id, array[location_id] as seen
  from locations
  where parent_id is not null
  union all
  select above.location_id, parent.parent_id, above.seen || parent.location_id
  from above
  inner join locations as parent on parent.location_id = above.ancestor_id
  where above.ancestor_id <> all (above.seen)
),

circles as (
  select location_id, (select min(member) from unnest(seen) as member) as cut_at
  from above
  where ancestor_id = location_id
),

parents as (
  select
    locations.location_id,
    locations.name,
    case when circles.cut_at = locations.location_id then null else parent.location_id end
      as parent_id,
    case
      when circles.location_id is not null then 'circle'
      when locations.parent_id is not null and parent.location_id is null then 'parent unknown'
    end as problem
  from locations
  left join circles on circles.location_id = locations.location_id
  left join locations as parent on parent.location_id = locations.parent_id
),

tree as (
  select
    location_id,
    parent_id,
    problem,
    0 as level,
    array[location_id] as path,
    array[name] as path_names
  from parents
  where parent_id is null
  union all
  select
    parents.location_id,
    parents.parent_id,
    parents.problem,
    tree.level + 1,
    tree.path || parents.location_id,
    tree.path_names || parents.name
  from tree
  inner join parents on parents.parent_id = tree.location_id
)

select
  location_id,
  parent_id,
  level,
  path,
  path_names,
  path[1] as root_id,
  coalesce(path[2], path[1]) as area_id,
  case when level = 0 then path_names[1] else path_names[2] end as area_name,
  problem
from tree
