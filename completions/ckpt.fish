# fish completion for ckpt
complete -c ckpt -n __fish_use_subcommand -f -a ls -d 'list the checkpoints of a folder'
complete -c ckpt -n __fish_use_subcommand -f -a last -d 'print the path of the newest checkpoint of a folder'
complete -c ckpt -n __fish_use_subcommand -f -a path -d 'print the path for an index, or of the next save'
complete -c ckpt -n __fish_use_subcommand -f -a inspect -d 'show what is in a checkpoint'
complete -c ckpt -n __fish_use_subcommand -f -a get -d 'print one value of a checkpoint'
complete -c ckpt -n __fish_use_subcommand -f -a convert -d 'convert a checkpoint to another layout'
complete -c ckpt -n __fish_use_subcommand -f -a extract -d 'take a part of a checkpoint'
complete -c ckpt -n __fish_use_subcommand -f -a merge -d 'average checkpoints, unite their parts, join histories'
complete -c ckpt -n __fish_use_subcommand -f -a diff -d 'compare two checkpoints'
complete -c ckpt -n __fish_use_subcommand -f -a scan -d 'show what loading a file would name and run'
complete -c ckpt -n __fish_use_subcommand -f -a verify -d 'check whether checkpoints are whole'
complete -c ckpt -n __fish_use_subcommand -f -a plot -d 'draw logs, searches, values over a run, and histograms'
complete -c ckpt -n __fish_use_subcommand -f -a prune -d 'remove checkpoints by rules of what to keep'
complete -c ckpt -n __fish_use_subcommand -f -a formats -d 'list the layouts'
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l by
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l pattern
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l series
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l valid
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l full
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l indices
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l json
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l null
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l long
complete -c ckpt -n '__fish_seen_subcommand_from ls' -l recursive
complete -c ckpt -n '__fish_seen_subcommand_from last' -l prior-to
complete -c ckpt -n '__fish_seen_subcommand_from last' -l up-to
complete -c ckpt -n '__fish_seen_subcommand_from last' -l at
complete -c ckpt -n '__fish_seen_subcommand_from last' -l by
complete -c ckpt -n '__fish_seen_subcommand_from last' -l pattern
complete -c ckpt -n '__fish_seen_subcommand_from last' -l series
complete -c ckpt -n '__fish_seen_subcommand_from last' -l index
complete -c ckpt -n '__fish_seen_subcommand_from last' -l next
complete -c ckpt -n '__fish_seen_subcommand_from last' -l valid
complete -c ckpt -n '__fish_seen_subcommand_from last' -l full
complete -c ckpt -n '__fish_seen_subcommand_from last' -l json
complete -c ckpt -n '__fish_seen_subcommand_from path' -l next
complete -c ckpt -n '__fish_seen_subcommand_from path' -l by
complete -c ckpt -n '__fish_seen_subcommand_from path' -l pattern
complete -c ckpt -n '__fish_seen_subcommand_from path' -l series
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l from
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l depth
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l tensors
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l stats
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l json
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l digest
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l all
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l allow-huge
complete -c ckpt -n '__fish_seen_subcommand_from inspect' -l hist
complete -c ckpt -n '__fish_seen_subcommand_from get' -l from
complete -c ckpt -n '__fish_seen_subcommand_from get' -l json
complete -c ckpt -n '__fish_seen_subcommand_from get' -l format
complete -c ckpt -n '__fish_seen_subcommand_from get' -l output
complete -c ckpt -n '__fish_seen_subcommand_from get' -l overwrite
complete -c ckpt -n '__fish_seen_subcommand_from get' -l allow-huge
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l from
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l trainer
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l fsdp
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l to
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l compress
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l codec
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l keep-layout
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l julia
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l shard-size
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l shards
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l metadata
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l weights-only
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l overwrite
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l max-output
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l all
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l allow-huge
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l allow-loss
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l cast
complete -c ckpt -n '__fish_seen_subcommand_from convert' -l cast-only
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l output
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l from
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l model-only
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l role
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l select
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l drop
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l rest
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l salvage
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l to
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l compress
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l codec
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l keep-layout
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l julia
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l shard-size
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l shards
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l metadata
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l weights-only
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l overwrite
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l max-output
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l all
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l allow-huge
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l allow-loss
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l ema
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l strip-prefix
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l add-prefix
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l rename
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l cast
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l cast-only
complete -c ckpt -n '__fish_seen_subcommand_from extract' -l contiguous
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l output
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l from
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l direction
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l to
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l compress
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l codec
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l keep-layout
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l julia
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l shard-size
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l shards
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l metadata
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l weights-only
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l overwrite
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l max-output
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l allow-huge
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l allow-loss
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l last
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l prior-to
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l up-to
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l at
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l by
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l pattern
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l series
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l average
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l weights
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l ema
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l slerp
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l base
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l task-arithmetic
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l ties
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l dare
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l lambda
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l density
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l seed
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l average-also
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l fast
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l cast
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l cast-only
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l union
complete -c ckpt -n '__fish_seen_subcommand_from merge' -l prefer
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l output
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l overwrite
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l data
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l json
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l log
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l bars
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l title
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l from
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l prior-to
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l up-to
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l at
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l by
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l pattern
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l series
complete -c ckpt -n '__fish_seen_subcommand_from plot' -l allow-huge
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-last
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-first
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-every
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l closest
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-best
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l metric
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l mode
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-within
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-hourly
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-daily
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-weekly
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l keep-glob
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l remove-invalid
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l remove-tmp
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l min-age
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l full
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l strip
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l trash
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l dry-run
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l yes
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l unsafe-allow-remove-all
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l recursive
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l json
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l by
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l pattern
complete -c ckpt -n '__fish_seen_subcommand_from prune' -l series
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l rtol
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l atol
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l ulp
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l ignore
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l names-only
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l values-only
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l limit
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l from
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l json
complete -c ckpt -n '__fish_seen_subcommand_from diff' -l allow-huge
complete -c ckpt -n '__fish_seen_subcommand_from scan' -l all
complete -c ckpt -n '__fish_seen_subcommand_from scan' -l json
complete -c ckpt -n '__fish_seen_subcommand_from scan' -l jsonl
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l full
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l sample -x
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l seed -x
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l values
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l from
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l json
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l by
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l pattern
complete -c ckpt -n '__fish_seen_subcommand_from verify' -l series
complete -c ckpt -n '__fish_seen_subcommand_from formats' -l json
complete -c ckpt -l quiet
complete -c ckpt -l verbose
complete -c ckpt -l progress
complete -c ckpt -l no-progress
complete -c ckpt -l allow-external
complete -c ckpt -l threads
complete -c ckpt -l help
