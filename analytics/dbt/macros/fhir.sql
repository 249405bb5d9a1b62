{#- How parts of a FHIR resource become columns. `json` is a jsonb expression, never null-safe by
    accident: the operators used return null where a part is missing or has another shape. -#}

{#-
  A landing table: `record` is its row, and `landed.resource` the JSON, unpacked once. PostgreSQL
  would unpack the compressed column again for each path that is read. Only the JSON goes through
  the subquery, so that a filter on the id still reaches the table's key.
-#}
{% macro from_landing(stream) -%}
from {{ source('airbyte', stream) }} as record
cross join lateral (
  select record.resource || '{}'::jsonb as resource offset 0
) as landed
{%- endmacro %}

{% macro fhir_date(value) -%} {{ target.schema }}.fhir_date({{ value }}) {%- endmacro %}
{% macro fhir_time(value) -%} {{ target.schema }}.fhir_time({{ value }}) {%- endmacro %}
{% macro fhir_precision(value) -%} {{ target.schema }}.fhir_precision({{ value }}) {%- endmacro %}
{% macro fhir_number(value) -%} {{ target.schema }}.fhir_number({{ value }}) {%- endmacro %}
{% macro fhir_boolean(value) -%} {{ target.schema }}.fhir_boolean({{ value }}) {%- endmacro %}

{#- The id in the reference at a path (written 'a,0,b'), if it leads to that type. -#}
{% macro reference_id(json, path, type) -%}
  {{ target.schema }}.fhir_reference({{ json }} #>> '{{ '{' ~ path ~ ',reference}' }}', '{{ type }}')
{%- endmacro %}

{#- Columns <name>_system, <name>_code (`code` if that is the name) and <name>_text of a
    CodeableConcept: its first coding, and its text or display. -#}
{% macro concept(json, path, name) -%}
  {{ json }} #>> '{{ '{' ~ path ~ ',coding,0,system}' }}' as {{ name }}_system,
  {{ json }} #>> '{{ '{' ~ path ~ ',coding,0,code}' }}' as {{ 'code' if name == 'code' else name ~ '_code' }},
  coalesce(
    {{ json }} #>> '{{ '{' ~ path ~ ',text}' }}', {{ json }} #>> '{{ '{' ~ path ~ ',coding,0,display}' }}'
  ) as {{ name }}_text
{%- endmacro %}

{#- A HumanName's given names in their order, separated by spaces. -#}
{% macro given_names(name) -%}
  (
    select string_agg(given.value #>> '{}', ' ' order by given.number)
    from jsonb_path_query({{ name }}, '$.given[*]') with ordinality as given (value, number)
  )
{%- endmacro %}

{#- The element of a list that has use = `use`, else the first. -#}
{% macro preferred(json, element, use) -%}
  coalesce(
    jsonb_path_query_first({{ json }}, '$.{{ element }}[*] ? (@.use == "{{ use }}")'),
    jsonb_path_query_first({{ json }}, '$.{{ element }}[0]')
  )
{%- endmacro %}

{#- The value of the identifier with a use. -#}
{% macro identifier(json, use) -%}
  jsonb_path_query_first({{ json }}, '$.identifier[*] ? (@.use == "{{ use }}").value') #>> '{}'
{%- endmacro %}

{#- The value of the first telecom of a system. -#}
{% macro telecom(json, system) -%}
  jsonb_path_query_first({{ json }}, '$.telecom[*] ? (@.system == "{{ system }}").value') #>> '{}'
{%- endmacro %}
