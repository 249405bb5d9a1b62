{#- The columns of a FHIR value[x], of an Observation, its components, or an answer. -#}
{% macro value_columns(json) -%}
  {%- set choices = [
    'Quantity', 'CodeableConcept', 'Coding', 'String', 'Boolean', 'Integer', 'Decimal', 'Date',
    'DateTime', 'Time', 'Uri', 'Reference', 'Attachment', 'Period', 'Range', 'Ratio', 'SampledData',
  ] -%}
  {%- set moment = 'coalesce(' ~ json ~ " ->> 'valueDateTime', " ~ json ~ " ->> 'valueDate', "
    ~ json ~ " #>> '{valuePeriod,start}')" -%}
  case
    {%- for choice in choices %}
    when {{ json }} -> 'value{{ choice }}' is not null
      then '{{ choice[0] | lower ~ choice[1:] if choice != "CodeableConcept" else "codeableConcept" }}'
    {%- endfor %}
  end as value_type,
  coalesce(
    {{ json }} #>> '{valueQuantity,value}',
    {{ json }} #>> '{valueCodeableConcept,text}',
    {{ json }} #>> '{valueCodeableConcept,coding,0,display}',
    {{ json }} #>> '{valueCodeableConcept,coding,0,code}',
    {{ json }} #>> '{valueCoding,display}',
    {{ json }} #>> '{valueCoding,code}',
    {{ json }} #>> '{valueReference,reference}',
    {{ json }} #>> '{valueReference,display}',
    {{ json }} #>> '{valueAttachment,title}',
    {{ json }} #>> '{valueAttachment,url}',
    {%- for choice in choices if choice not in ('Attachment',) %}
    {{ json }} ->> 'value{{ choice }}'{{ ',' if not loop.last }}
    {%- endfor %}
  ) as value_text,
  {{ fhir_number("coalesce(" ~ json ~ " #>> '{valueQuantity,value}', " ~ json ~ " ->> 'valueInteger', "
    ~ json ~ " ->> 'valueDecimal')") }} as value_number,
  coalesce(
    {{ json }} #>> '{valueQuantity,unit}', {{ json }} #>> '{valueQuantity,code}'
  ) as value_unit,
  coalesce(
    {{ json }} #>> '{valueCodeableConcept,coding,0,system}', {{ json }} #>> '{valueCoding,system}'
  ) as value_system,
  coalesce(
    {{ json }} #>> '{valueCodeableConcept,coding,0,code}', {{ json }} #>> '{valueCoding,code}'
  ) as value_code,
  {{ fhir_boolean(json ~ " ->> 'valueBoolean'") }} as value_boolean,
  {{ fhir_date(moment) }} as value_date,
  {{ fhir_time(moment) }} as value_time,
  {{ fhir_precision(moment) }} as value_date_precision
{%- endmacro %}
