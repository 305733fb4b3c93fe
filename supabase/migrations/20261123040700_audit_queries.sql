-- Reading the audit log: newest first by its time-ordered id, each filter by an index that ends in the id.

create index event_log_by_actor on audit.event_log (actor_user_id, id);
create index event_log_by_action on audit.event_log (action, id);
