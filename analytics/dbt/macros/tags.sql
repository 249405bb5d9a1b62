{#- Who wrote a record, where and with what: the tags that OpenSRP's app puts on it. A tag is known
    by its system; the display is free text that other versions and languages of the app change. -#}

{% macro tag_systems() -%}
  {{ return({
    'app_version': 'https://smartregister.org/app-version',
    'care_team_id': 'https://smartregister.org/care-team-tag-id',
    'practitioner_id': 'https://smartregister.org/practitioner-tag-id',
    'location_tag_id': 'https://smartregister.org/location-tag-id',
    'organization_id': 'https://smartregister.org/organisation-tag-id',
    'related_location_tag_id': 'https://smartregister.org/related-entity-location-tag-id',
  }) }}
{%- endmacro %}

{#- One column a tag system, from rows of (system, code). Servers keep tags as a set without order,
    so of several tags of one system the smallest code counts, whatever order they come in. -#}
{% macro tag_pivot(system, code) -%}
  {%- for column, url in tag_systems().items() %}
    min({{ fhir_key(code) }}) filter (where {{ system }} = '{{ url }}') as {{ column }}
    {{- ',' if not loop.last }}
  {%- endfor %}
{%- endmacro %}

{#- Joins `tags`, one row, to each record. -#}
{% macro join_tags() -%}
  cross join lateral (
    select
      {{- tag_pivot("tag.value ->> 'system'", "tag.value ->> 'code'") }}
    from jsonb_path_query(landed.resource, '$.meta.tag[*]') as tag (value)
  ) as tags
{%- endmacro %}

{#- The columns that every record carries: its tags, the place they name, and its age. -#}
{% macro record_columns() -%}
  coalesce(tags.location_tag_id, tags.related_location_tag_id) as place_id,
  {%- for column in tag_systems() %}
  tags.{{ column }},
  {%- endfor %}
  {{ change_columns() }}
{%- endmacro %}

{#- When the server last wrote the record, and when it was landed. -#}
{% macro change_columns() -%}
  {{ fhir_time("landed.resource #>> '{meta,lastUpdated}'") }} as last_updated,
  record._airbyte_extracted_at
{%- endmacro %}
