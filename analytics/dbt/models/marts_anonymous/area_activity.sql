{{ config(indexes=[{'columns': ['month', 'service']}], post_hook="{{ hide_small_groups() }}") }}
-- Coarser than service_activity, so that fewer groups are too small to be shown. People cannot be
-- summed over rows of the finer table: one person has events in several of its places.
select
  {{ month('event.day') }} as month,
  event.service,
  place.area_id,
  place.area_name,
  count(*) as events,
  count(distinct coalesce(event.patient_id, 'Group/' || event.household_id)) as people
from {{ ref('int_events') }} as event
left join {{ ref('locations') }} as place on place.location_id = event.place_id
group by 1, 2, 3, 4
