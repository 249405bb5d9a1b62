select
  record.id as flag_id,
  landed.resource ->> 'status' as status,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  {{ concept('landed.resource', 'code', 'code') }},
  landed.resource #>> '{category,0,coding,0,code}' as category_code,
  {{ fhir_date("landed.resource #>> '{period,start}'") }} as started_on,
  {{ fhir_time("landed.resource #>> '{period,start}'") }} as started_at,
  {{ fhir_date("landed.resource #>> '{period,end}'") }} as ended_on,
  {{ fhir_time("landed.resource #>> '{period,end}'") }} as ended_at,
  {{ record_columns() }}
{{ from_landing('flag') }}
{{ join_tags() }}
