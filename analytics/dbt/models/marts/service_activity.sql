{{ config(indexes=[{'columns': ['month', 'service']}, {'columns': ['area_id']}]) }}
-- The age is that on the day of the service; the place is that of the record's own tag.
with events as (
  select
    {{ month('event.day') }} as month,
    event.service,
    event.place_id,
    coalesce(patient.gender, 'unknown') as gender,
    {{ age_band('patient.birth_date', 'event.day') }} as age_band,
    coalesce(event.patient_id, 'Group/' || event.household_id) as subject
  from {{ ref('int_events') }} as event
  left join {{ ref('patients') }} as patient on patient.patient_id = event.patient_id
),

counted as (
  select
    month,
    service,
    place_id,
    gender,
    age_band,
    count(*) as events,
    count(distinct subject) as people
  from events
  group by 1, 2, 3, 4, 5
)

select
  counted.month,
  counted.service,
  counted.place_id,
  place.name as place_name,
  place.area_id,
  place.area_name,
  counted.gender,
  counted.age_band,
  counted.events,
  counted.people
from counted
left join {{ ref('locations') }} as place on place.location_id = counted.place_id
