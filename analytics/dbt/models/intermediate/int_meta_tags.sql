with tags as (
{%- for stream in streams() %}
  select
    '{{ stream }}' as stream,
    landed.id as resource_id,
    tag.number as tag_number,
    tag.value ->> 'system' as system,
    tag.value ->> 'code' as code,
    tag.value ->> 'display' as display
  from {{ source('airbyte', stream) }} as landed
  cross join lateral
    jsonb_path_query(landed.resource, '$.meta.tag[*]') with ordinality as tag (value, number)
  {{ 'union all' if not loop.last }}
{%- endfor %}
)

select * from tags
