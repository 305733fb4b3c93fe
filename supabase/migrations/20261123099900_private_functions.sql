-- Nobody calls these schemas' functions but our own: what this group of migrations made is taken from everybody.
revoke execute on all functions in schema app, rules, audit, sec from public, anon, authenticated, service_role;
