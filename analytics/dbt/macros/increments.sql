{#-
  What an increment has to look at: every landed version that the table does not have. The landed
  row's id and `_airbyte_extracted_at` name a version, for the destination gives a newer one of an
  id a later moment. They are compared as a set, never with a clock: a row that was landed late, or
  while a clock was ahead or behind, is found like any other. No JSON is read to find them, only two
  indexes.

  `key` is the column with the landed row's id in the query, `table_key` that in the table.
-#}
{% macro only_changed(stream, key, table_key=none, word='where') -%}
  {#- Outside the condition, so that dbt sees the dependency when it parses. -#}
  {%- set landing = source('airbyte', stream) %}
  {%- if is_incremental() %}
  {{ word }} {{ key }} = any (array(
    select landed.id
    from {{ landing }} as landed
    where not exists (
      select
      from {{ this }} as known
      where known.{{ table_key or key }} = landed.id
        and known._airbyte_extracted_at = landed._airbyte_extracted_at
    )
  ))
  {%- endif %}
{%- endmacro %}

{#-
  Pre-hook of incremental tables, in the transaction of the increment: takes out the rows whose
  landed version is gone, deleted or replaced. A newer version may leave fewer rows behind than the
  older one, or none, which replacing rows by key alone would not notice.
-#}
{% macro remove_outdated(stream, key) -%}
  {%- set landing = source('airbyte', stream) -%}
  {%- if is_incremental() -%}
  delete from {{ this }} as known
  where not exists (
    select
    from {{ landing }} as landed
    where landed.id = known.{{ key }}
      and landed._airbyte_extracted_at = known._airbyte_extracted_at
  )
  {%- endif -%}
{%- endmacro %}
