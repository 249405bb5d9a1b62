{#- Schemas are named by the warehouse, not by who runs dbt: `marts` is `marts`. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
