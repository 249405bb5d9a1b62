select
  record.id as care_plan_id,
  landed.resource ->> 'status' as status,
  landed.resource ->> 'intent' as intent,
  {{ reference_id('landed.resource', 'subject', 'Patient') }} as patient_id,
  {{ reference_id('landed.resource', 'encounter', 'Encounter') }} as encounter_id,
  {{ concept('landed.resource', 'category,0', 'category') }},
  landed.resource ->> 'title' as title,
  {{ fhir_date("landed.resource #>> '{period,start}'") }} as started_on,
  {{ fhir_time("landed.resource #>> '{period,start}'") }} as started_at,
  {{ fhir_date("landed.resource #>> '{period,end}'") }} as ended_on,
  {{ fhir_time("landed.resource #>> '{period,end}'") }} as ended_at,
  {{ record_columns() }}
{{ from_landing('care_plan') }}
{{ join_tags() }}
