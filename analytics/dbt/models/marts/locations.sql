{{ config(indexes=[{'columns': ['location_id'], 'unique': true}, {'columns': ['area_id']}]) }}
select
  location.location_id,
  location.identifier,
  location.name,
  location.status,
  hierarchy.level,
  location.administrative_level,
  hierarchy.parent_id,
  hierarchy.path,
  hierarchy.path_names,
  hierarchy.root_id,
  hierarchy.area_id,
  hierarchy.area_name,
  hierarchy.problem,
  location.physical_type_text,
  location.latitude,
  location.longitude,
  location.last_updated
from {{ ref('stg_location') }} as location
left join {{ ref('int_location_hierarchy') }} as hierarchy
  on hierarchy.location_id = location.location_id
