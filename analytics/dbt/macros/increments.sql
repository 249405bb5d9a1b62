{#-
  What an increment has to look at: landed rows newer than the table's newest minus the overlap,
  except those that the table has in the same version. No JSON is read to find them, so a run with
  nothing new costs the comparison of two timestamps a row of the overlap.

  The start is put in as a literal: with a subquery the planner would guess a third of the table.
  `key` is the column with the landed row's id in the query, `table_key` that in the table.
-#}
{% macro only_changed(stream, key, table_key=none, word='where') -%}
  {#- Outside the condition, so that dbt sees the dependency when it parses. -#}
  {%- set landing = source('airbyte', stream) %}
  {%- if is_incremental() %}
  {{ word }} {{ key }} = any (array(
    select landed.id
    from {{ landing }} as landed
    where landed._airbyte_extracted_at > {{ increment_start() }}
      and not exists (
        select
        from {{ this }} as known
        where known.{{ table_key or key }} = landed.id
          and known._airbyte_extracted_at = landed._airbyte_extracted_at
      )
  ))
  {%- endif %}
{%- endmacro %}

{#- A timestamptz literal: the newest row of this table minus the overlap. -#}
{% macro increment_start() -%}
  {%- set start = '-infinity' -%}
  {%- if execute -%}
    {#- The word before it keeps dbt's reader of results from turning the text into a date. -#}
    {%- set found = run_query(
      "select 'from ' || (max(_airbyte_extracted_at) - interval '" ~ var('overlap') ~ "') from " ~ this
    ).columns[0].values()[0] -%}
    {%- set start = found[5:] if found else start -%}
  {%- endif -%}
  '{{ start }}'::timestamptz
{%- endmacro %}

{#-
  Pre-hook of incremental tables, in the transaction of the increment: takes out the rows whose
  landed record is gone, and those of an older version of it. A newer version may leave fewer rows
  behind than the older one, or none, which replacing rows by key alone would not notice.
-#}
{% macro remove_outdated(stream, key) -%}
  {%- set landing = source('airbyte', stream) -%}
  {%- if is_incremental() -%}
  delete from {{ this }} as known
  where not exists (
    select from {{ landing }} as landed where landed.id = known.{{ key }}
  );
  delete from {{ this }} as known
  using {{ landing }} as landed
  where landed.id = known.{{ key }}
    and landed._airbyte_extracted_at > {{ increment_start() }}
    and landed._airbyte_extracted_at > known._airbyte_extracted_at
  {%- endif -%}
{%- endmacro %}
