-- The recursion runs inside each landed row, so that a filter on the response's id reaches the
-- table: a recursion over all rows would read every response each time.
select
  record.id as questionnaire_response_id,
  answers.*,
  record._airbyte_extracted_at
{{ from_landing('questionnaire_response') }}
cross join lateral (
  with recursive items as (
    select
      item.value as item,
      item.number::text as item_path,
      array[item.value ->> 'linkId'] as link_path
    from
      jsonb_path_query(landed.resource, '$.item[*]') with ordinality as item (value, number)
    union all
    select
      below.item,
      items.item_path || below.step,
      items.link_path || (below.item ->> 'linkId')
    from items
    cross join lateral (
      select item.value as item, '.' || item.number as step
      from jsonb_path_query(items.item, '$.item[*]') with ordinality as item (value, number)
      union all
      select item.value, '/' || answer.number || '.' || item.number
      from
        jsonb_path_query(items.item, '$.answer[*]') with ordinality as answer (value, number),
        jsonb_path_query(answer.value, '$.item[*]') with ordinality as item (value, number)
    ) as below
  )
  select
    items.item_path || '/' || answer.number as answer_path,
    {{ fhir_key("items.item ->> 'linkId'") }} as link_id,
    items.link_path,
    items.item ->> 'text' as question,
    answer.number::int as answer_number,
    {{ value_columns('answer.value') }}
  from items
  cross join lateral
    jsonb_path_query(items.item, '$.answer[*]') with ordinality as answer (value, number)
) as answers
where answers.value_type is not null
