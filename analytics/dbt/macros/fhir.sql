{#- How parts of a FHIR resource become columns. `json` is a jsonb expression, never null-safe by
    accident: the operators used return null where a part is missing or has another shape. -#}

{#-
  A landing table: `record` is its row, and `landed.resource` the JSON, unpacked once. PostgreSQL
  would unpack the compressed column again for each path that is read. Only the JSON goes through
  the subquery, so that a filter on the id still reaches the table's key.

  What `fhirstack verify` makes is not there, unless `with_verify`: it is nobody's record.
-#}
{% macro from_landing(stream, with_verify=false) -%}
from {{ source('airbyte', stream) }} as record
cross join lateral (
  select unpacked.resource
  from (select record.resource || '{}'::jsonb as resource offset 0) as unpacked
  {%- if not with_verify %}
  where not {{ made_by_verify('unpacked.resource') }}
  {%- endif %}
  offset 0
) as landed
{%- endmacro %}

{#- Whether a resource carries the tag of everything that `fhirstack verify` makes. -#}
{% macro made_by_verify(json) -%}
  jsonb_path_exists(
    {{ json }},
    '$.meta.tag[*] ? (@.system == "{{ var('verify_tag').system }}" && @.code == "{{ var('verify_tag').code }}")'
  )
{%- endmacro %}

{% macro fhir_date(value) -%} {{ target.schema }}.fhir_date({{ value }}) {%- endmacro %}
{% macro fhir_time(value) -%} {{ target.schema }}.fhir_time({{ value }}) {%- endmacro %}
{% macro fhir_precision(value) -%} {{ target.schema }}.fhir_precision({{ value }}) {%- endmacro %}
{% macro fhir_number(value) -%} {{ target.schema }}.fhir_number({{ value }}) {%- endmacro %}
{% macro fhir_boolean(value) -%} {{ target.schema }}.fhir_boolean({{ value }}) {%- endmacro %}

{#- Text that a table has an index on, or that is part of a key: PostgreSQL would refuse the whole
    table for one value that is too long. -#}
{% macro fhir_key(value) -%} {{ target.schema }}.fhir_key({{ value }}) {%- endmacro %}

{#- The id in the reference at a path (written 'a,0,b'), if it leads to that type. -#}
{% macro reference_id(json, path, type) -%}
  {{ target.schema }}.fhir_reference({{ json }} #>> '{{ '{' ~ path ~ ',reference}' }}', '{{ type }}')
{%- endmacro %}

{#- Columns <name>_system, <name>_code (`code` if that is the name) and <name>_text of a
    CodeableConcept: its first coding, and its text or display. -#}
{% macro concept(json, path, name) -%}
  {{ json }} #>> '{{ '{' ~ path ~ ',coding,0,system}' }}' as {{ name }}_system,
  {{ fhir_key(json ~ " #>> '{" ~ path ~ ",coding,0,code}'") }} as {{ 'code' if name == 'code' else name ~ '_code' }},
  coalesce(
    {{ json }} #>> '{{ '{' ~ path ~ ',text}' }}', {{ json }} #>> '{{ '{' ~ path ~ ',coding,0,display}' }}'
  ) as {{ name }}_text
{%- endmacro %}

{#- The element of a list that counts: of the first use in `uses` that any has, the first that has
    one of `parts`; '' is no use or one that is not named. What only an odd use has comes last. -#}
{% macro preferred(json, element, uses, parts) -%}
  {%- set named = uses | reject('equalto', '') | list -%}
  coalesce(
    {%- for use in uses %}
    jsonb_path_query_first(
      {{ json }},
      '$.{{ element }}[*] ? ({% for part in parts %}exists(@.{{ part }}) {{ '|| ' if not loop.last }}{% endfor -%}
      ) ? (
        {%- if use -%}
        @.use == "{{ use }}"
        {%- else -%}
        {% for other in named %}!(@.use == "{{ other }}"){{ ' && ' if not loop.last }}{% endfor %}
        {%- endif -%}
      )'
    ),
    {%- endfor %}
    jsonb_path_query_first({{ json }}, '$.{{ element }}[*] ? (
      {%- for part in parts %}exists(@.{{ part }}) {{ '|| ' if not loop.last }}{% endfor -%}
    )')
  )
{%- endmacro %}

{#- Columns family_name, given_names (in their order, separated by spaces) and full_name of a person:
    the text of the name that counts, or else its given names and family name. -#}
{% macro name_columns(json) -%}
  {%- set name = preferred(
    json, 'name', ['official', 'usual', '', 'nickname', 'anonymous', 'temp', 'maiden', 'old'],
    ['family', 'given', 'text'],
  ) -%}
  {%- set given -%}
  (
    select string_agg(given.value #>> '{}', ' ' order by given.number)
    from jsonb_path_query({{ name }}, '$.given[*]') with ordinality as given (value, number)
  )
  {%- endset -%}
  {{ name }} ->> 'family' as family_name,
  {{ given }} as given_names,
  coalesce(
    {{ name }} ->> 'text', nullif(concat_ws(' ', {{ given }}, {{ name }} ->> 'family'), '')
  ) as full_name
{%- endmacro %}

{#- The value of the identifier that counts: what a person or thing is known by now goes before what
    was given for a time or beside another, and that before what is no longer in use. -#}
{% macro identifier(json) -%}
  {{ preferred(json, 'identifier', ['official', 'usual', '', 'temp', 'secondary', 'old'], ['value']) }}
    ->> 'value'
{%- endmacro %}

{#- The value of the first identifier with use = secondary. -#}
{% macro secondary_identifier(json) -%}
  jsonb_path_query_first({{ json }}, '$.identifier[*] ? (@.use == "secondary").value') #>> '{}'
{%- endmacro %}

{#- The value of the first telecom of a system. -#}
{% macro telecom(json, system) -%}
  jsonb_path_query_first({{ json }}, '$.telecom[*] ? (@.system == "{{ system }}").value') #>> '{}'
{%- endmacro %}

{#- All landing tables of resources. -#}
{% macro streams() -%}
  {{ return([
    'patient', 'group', 'location', 'organization', 'organization_affiliation', 'practitioner',
    'practitioner_role', 'care_team', 'encounter', 'condition', 'flag', 'observation', 'care_plan',
    'task', 'questionnaire_response', 'related_person', 'immunization', 'procedure',
    'medication_request', 'service_request',
  ]) }}
{%- endmacro %}
