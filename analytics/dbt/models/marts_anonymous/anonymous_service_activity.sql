{{ config(
  alias='service_activity',
  indexes=[{'columns': ['month', 'service']}, {'columns': ['area_id']}],
  post_hook="{{ hide_small_groups() }}",
) }}
select
  month, service, place_id, place_name, area_id, area_name, gender, age_band, events, people
from {{ ref('service_activity') }}
