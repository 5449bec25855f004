"""The `directory` driver: releases in a directory tree, switched by a symbolic link.

What lies in a target's directory, all of it derived from the release or written atomically:

    downloads/<hex>        a fetched artifact, its digest verified; gone once it is unpacked
    releases/<hex>/        an unpacked artifact, complete whenever it has this name
    current                symbolic link to the active one of `releases/`
    switches.jsonl         one line for each time that `current` was switched
    state.json             what the target runs, and the switch in progress if there is one
    service.json           the supervised process: what was started, and its identity
    service.log            its output
    lock                   held by whoever works on the target
"""
