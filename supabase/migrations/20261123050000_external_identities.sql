create table app.external_identities (
  member_id uuid not null references app.member_profiles (id),
  provider text not null constraint external_identities_provider_known check (provider in ('wechat', 'alipay', 'line')),
  external_id text not null
    constraint external_identities_external_id_blank_or_long check (char_length(external_id) between 1 and 128),
  meta jsonb not null default '{}' constraint external_identities_meta_no_object check (jsonb_typeof(meta) = 'object'),
  created_at timestamptz not null,
  primary key (member_id, provider),
  constraint external_identities_external_id_taken unique (provider, external_id)
);
comment on table app.external_identities is
  'Who a member is at WeChat, Alipay or Line, by that provider''s proof: one identity a provider and member, each on one member. Deleted '
  'with the member.';
alter table app.external_identities enable row level security;

create function sec.check_provider(p_provider text)
returns void
language plpgsql immutable
set search_path = ''
as $$
begin
  if p_provider is null or p_provider not in ('wechat', 'alipay', 'line') then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'provider'));
  end if;
end;
$$;
comment on function sec.check_provider(text) is 'Refuses what is no provider of identities: wechat, alipay, line.';

create function sec.check_external_identity(p_provider text, p_external_id text, p_meta jsonb)
returns void
language plpgsql immutable
set search_path = ''
as $$
begin
  perform sec.check_provider(p_provider);
  if p_external_id is null or p_external_id !~ '^[!-~]{1,128}$' then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'external_id'));
  end if;
  if p_meta is not null and (
     jsonb_typeof(p_meta) <> 'object' or octet_length(p_meta::text) > rules.limit_int('tag.bytes_max'))
  then
    perform rules.fail('MALFORMED_ARGUMENT', jsonb_build_object('field', 'meta'));
  end if;
end;
$$;
comment on function sec.check_external_identity(text, text, jsonb) is
  'A known provider, an id of 1 to 128 printable ASCII characters without spaces, a JSON object of at most 4096 bytes.';

create function app.bind_identity(p_member app.member_profiles, p_provider text, p_external_id text, p_meta jsonb)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if exists (
    select from app.external_identities i
    where i.member_id = p_member.id and i.provider = p_provider and i.external_id = p_external_id)
  then
    return false;
  end if;
  -- Waits for another call that binds the same identity, or another one of this provider to this member.
  insert into app.external_identities (member_id, provider, external_id, meta, created_at)
  values (p_member.id, p_provider, p_external_id, coalesce(p_meta, '{}'), clock_timestamp())
  on conflict do nothing;
  if not found then
    perform rules.fail('EXTERNAL_ID_ALREADY_BOUND');
  end if;
  perform audit.log('service', 'member.identity_bound', 'member', p_member.member_no, jsonb_build_object('provider', p_provider));
  return true;
end;
$$;
comment on function app.bind_identity(app.member_profiles, text, text, jsonb) is
  'Binds an identity to a locked member; false when he has it. One that is on another member, and a second one of a provider, are refused.';
