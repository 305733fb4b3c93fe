create function app.member_violations()
returns table (rule text, object text, detail text)
language plpgsql stable
set search_path = ''
as $$
begin
  return query
    select 'member_has_one_standard_card', m.member_no, count(c.id)::text
    from app.member_profiles m
    left join app.cards c on c.personal_member_id = m.id and c.card_type = 'standard'
    group by m.id, m.member_no
    having count(c.id) <> 1
    union all
    select 'personal_card_is_its_members_alone', c.card_no, b.member_id::text || ' ' || b.role
    from app.cards c
    join app.card_bindings b on b.card_id = c.id
    where c.personal_member_id is not null and (b.member_id <> c.personal_member_id or b.role <> 'owner')
    union all
    select 'personal_card_has_its_owner', c.card_no, c.personal_member_id::text
    from app.cards c
    left join app.card_bindings b on b.card_id = c.id and b.member_id = c.personal_member_id
    where c.personal_member_id is not null and b.member_id is null
    union all
    select 'deleted_member_is_erased', m.member_no, ''
    from app.member_profiles m
    where m.status = 'deleted' and (
      m.name <> m.member_no or m.phone is not null or m.email is not null or m.auth_user_id is not null
      or exists (select from app.external_identities i where i.member_id = m.id)
      or exists (select from app.payment_devices d where d.member_id = m.id and (d.revoked_at is null or d.label is not null)))
    union all
    select 'deleted_member_has_closed_cards_only', m.member_no, c.card_no
    from app.member_profiles m
    join app.card_bindings b on b.member_id = m.id
    join app.cards c on c.id = b.card_id
    where m.status = 'deleted' and c.status <> 'closed'
    union all
    select 'deleted_member_has_no_open_code', m.member_no, p.id::text
    from app.payment_codes p
    join app.member_profiles m on m.id = p.member_id
    where p.consumed_at is null and p.revoked_at is null and m.status = 'deleted';
end;
$$;
comment on function app.member_violations() is
  'One standard card a member, personal cards with their member alone, and nothing left of who was deleted.';
