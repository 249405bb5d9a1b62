{#-
  The secret behind every person_key: 244 random bits, made once, never in any file or log. It is
  no model, so that a full refresh keeps it; whoever deletes it gives every person a new key.
-#}
{% macro create_anonymous_key() %}
create table if not exists {{ target.schema }}.anonymous_key (
  only_row boolean primary key default true check (only_row),
  key bytea not null check (length(key) = 32),
  made_at timestamptz not null default now()
);
do $$
declare
  reader regrole;
begin
  for reader in
    select distinct acl.grantee
    from pg_class, aclexplode(relacl) as acl
    where pg_class.oid = '{{ target.schema }}.anonymous_key'::regclass
      and acl.grantee <> pg_class.relowner and acl.grantee <> 0
  loop
    execute format('revoke all on {{ target.schema }}.anonymous_key from %s', reader);
  end loop;
end $$;
revoke all on {{ target.schema }}.anonymous_key from public;
insert into {{ target.schema }}.anonymous_key (key)
select uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
on conflict do nothing;
{% endmacro %}

{#-
  Who a row is about, for tables without identity. The key goes in twice (the construction of
  HMAC), so that neither a known id nor an extended one can be turned into a person_key.
-#}
{% macro person_key(id) -%}
  {%- set key = '(select key from ' ~ target.schema ~ '.anonymous_key)' -%}
  encode(sha256({{ key }} || sha256({{ key }} || convert_to({{ id }}, 'UTF8'))), 'hex')
{%- endmacro %}
