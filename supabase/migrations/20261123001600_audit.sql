create table audit.event_log (
  id uuid primary key,
  created_at timestamptz not null,
  actor_user_id uuid,
  actor_role text,
  action text not null,
  object_type text not null,
  object_id text,
  params jsonb not null,
  request_id text
) partition by range (id);
comment on table audit.event_log is 'One row for each call that changed something. No secrets, codes or personal data in params.';
create index event_log_by_object on audit.event_log (object_type, object_id, id);
alter table audit.event_log enable row level security;
select app.partition_by_month('audit.event_log', true);

select app.ensure_partitions(3);
