"""The designers' and reviewers' page: orders of images, rendered here, without anything from elsewhere.

Law: HTML on the way out, forms on the way in; everything else is `server.imagery`'s. Nothing is loaded from another host, and nothing runs in the
page but the one script that is served with it.
"""
