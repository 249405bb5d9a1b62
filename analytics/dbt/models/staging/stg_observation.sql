{%- set observed = "coalesce(landed.resource ->> 'effectiveDateTime', "
  ~ "landed.resource #>> '{effectivePeriod,start}', landed.resource ->> 'effectiveInstant', "
  ~ "landed.resource ->> 'issued')" -%}
select
  record.id as observation_id,
  landed.resource ->> 'status' as status,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'subject', 'Group') }} as household_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  landed.resource #>> '{category,0,coding,0,code}' as category_code,
  {{ concept('landed.resource', 'code', 'code') }},
  {{ fhir_date(observed) }} as observed_on,
  {{ fhir_time(observed) }} as observed_at,
  {{ fhir_precision(observed) }} as observed_precision,
  {{ observed }} as observed_written,
  {{ concept('landed.resource', 'interpretation,0', 'interpretation') }},
  {{ concept('landed.resource', 'dataAbsentReason', 'absent_reason') }},
  {{ value_columns('landed.resource') }},
  landed.resource -> 'component' as components,
  {{ record_columns() }}
{{ from_landing('observation') }}
{{ join_tags() }}
