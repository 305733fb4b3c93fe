-- Owner only with consent: who owns a card answers for it, so making somebody owner is an invitation until they accept it.

create table app.card_invitations (
  card_id uuid not null references app.cards (id),
  member_id uuid not null references app.member_profiles (id),
  invited_by uuid references app.member_profiles (id),
  invited_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (card_id, member_id),
  constraint card_invitations_expire_after_they_begin check (expires_at > invited_at)
);
comment on table app.card_invitations is
  'Members who were asked to own a card and have not answered; invited_by: the owner who asked, NULL for an admin of the system. The row goes '
  'when it is answered or withdrawn; the audit log keeps what happened.';
create index card_invitations_by_member on app.card_invitations (member_id);
create index card_invitations_by_inviter on app.card_invitations (invited_by) where invited_by is not null;
alter table app.card_invitations enable row level security;

create function app.invite_owner(p_card app.cards, p_member_id uuid, p_invited_by uuid)
returns void
language plpgsql
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ends timestamptz := v_now + make_interval(secs => rules.limit_int('invitation.lifetime_seconds'));
begin
  insert into app.card_invitations as i (card_id, member_id, invited_by, invited_at, expires_at)
  values (p_card.id, p_member_id, p_invited_by, v_now, v_ends)
  on conflict (card_id, member_id) do update
  set invited_by = excluded.invited_by, invited_at = excluded.invited_at, expires_at = excluded.expires_at;
end;
$$;
comment on function app.invite_owner(app.cards, uuid, uuid) is
  'Asks a member to own a card, anew when they were asked before. Under the card''s lock.';

create function app.has_invitation(p_card_id uuid, p_member_id uuid)
returns boolean
language plpgsql stable
as $$
begin
  -- Who asked must still be one who may.
  return exists (
    select from app.card_invitations i
    where i.card_id = p_card_id and i.member_id = p_member_id and i.expires_at > clock_timestamp()
      and (i.invited_by is null or app.card_role(p_card_id, i.invited_by) is not distinct from 'owner'));
end;
$$;
comment on function app.has_invitation(uuid, uuid) is 'Whether a member was asked to own a card, in time, by one who still may.';

create function app.end_invitation(p_card_id uuid, p_member_id uuid)
returns boolean
language plpgsql
as $$
begin
  delete from app.card_invitations i where i.card_id = p_card_id and i.member_id = p_member_id;
  return found;
end;
$$;
comment on function app.end_invitation(uuid, uuid) is 'Answered or withdrawn; whether there was one. Under the card''s lock.';

create function app.lock_card_of_invitation(p_card_id uuid, p_member_id uuid)
returns app.cards
language plpgsql
as $$
declare
  v_card app.cards;
begin
  -- Looked at before locking, so that a stranger cannot queue up on somebody's card, and again: it may be withdrawn meanwhile.
  if app.has_invitation(p_card_id, p_member_id) then
    select c.* into v_card from app.cards c where c.id = p_card_id for update;
  end if;
  if v_card.id is null or not app.has_invitation(p_card_id, p_member_id) or (sec.own_member()).id is distinct from p_member_id then
    perform rules.fail('INVITATION_NOT_FOUND');
  end if;
  return v_card;
end;
$$;
comment on function app.lock_card_of_invitation(uuid, uuid) is 'Locks the card that the caller''s member was asked to own, else INVITATION_NOT_FOUND.';
