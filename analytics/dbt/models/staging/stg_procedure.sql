{%- set performed = "coalesce(landed.resource ->> 'performedDateTime', "
  ~ "landed.resource #>> '{performedPeriod,start}')" -%}
select
  record.id as procedure_id,
  landed.resource ->> 'status' as status,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  {{ concept('landed.resource', 'code', 'code') }},
  {{ fhir_date(performed) }} as performed_on,
  {{ fhir_time(performed) }} as performed_at,
  {{ record_columns() }}
{{ from_landing('procedure') }}
{{ join_tags() }}
