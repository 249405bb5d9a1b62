{{ config(
  alias='patients',
  indexes=[{'columns': ['person_key'], 'unique': true}, {'columns': ['area_id']}],
) }}
select
  {{ person_key('patient.patient_id') }} as person_key,
  coalesce(patient.gender, 'unknown') as gender,
  {{ age_band('patient.birth_date', 'coalesce(patient.deceased_on, ' ~ today() ~ ')') }} as age_band,
  {{ month('patient.registered_on') }} as registered_month,
  patient.deceased,
  patient.location_id as place_id,
  place.name as place_name,
  place.area_id,
  place.area_name
from {{ ref('patients') }} as patient
left join {{ ref('locations') }} as place on place.location_id = patient.location_id
-- The order of rows on disk must not tell which row of the other table one was made from.
order by person_key
