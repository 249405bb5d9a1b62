{#- Bands, not years: wide enough that a place has more than one person in most of them. Text sorts
    in the order of age. -#}
{% macro age_band(born, day) -%}
  case
    when {{ born }} is null or {{ day }} is null or {{ born }} > {{ day }} then 'unknown'
    {%- for below, band in [
      (5, '00-04'), (10, '05-09'), (15, '10-14'), (20, '15-19'), (25, '20-24'), (35, '25-34'),
      (50, '35-49'), (65, '50-64'),
    ] %}
    when {{ born }} > {{ day }} - interval '{{ below }} years' then '{{ band }}'
    {%- endfor %}
    else '65+'
  end
{%- endmacro %}

{% macro today() -%} (now() at time zone '{{ var('time_zone') }}')::date {%- endmacro %}

{% macro month(day) -%} date_trunc('month', {{ day }}::timestamp)::date {%- endmacro %}
