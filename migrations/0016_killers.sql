-- How often a message that is suspected of killing its worker began and never came back, in a row.
alter table attempts add column alone integer not null default 0;
