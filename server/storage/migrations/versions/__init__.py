"""The revisions. One that was released is never changed: databases have been through it."""
