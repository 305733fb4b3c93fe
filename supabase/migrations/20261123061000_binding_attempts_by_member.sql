-- Deleting a member deletes his wrong guesses; without this it reads everybody's.
create index binding_attempts_by_member on app.binding_attempts (member_id);
