# Folders of other programs whose files lie further down; DeepSpeed's tags beside their pointer.
for n in 10 20; do mkdir -p mega/iter_00000$n/mp_rank_00 && cp $DATA/run/epoch-10.pt mega/iter_00000$n/mp_rank_00/model_optim_rng.pt; done
mkdir mega/iter_0000030 && echo 20 > mega/latest_checkpointed_iteration.txt
mkdir -p hf/checkpoint-500/global_step500 && : > hf/checkpoint-500/global_step500/mp_rank_00_model_states.pt && : > hf/checkpoint-500/rng_state_0.pth
mkdir -p orbax/1000/default orbax/2000.orbax-checkpoint-tmp-7/default && : > orbax/1000/_CHECKPOINT_METADATA
mkdir -p ds/global_step1 ds/global_step2 && for n in 1 2; do : > ds/global_step$n/mp_rank_00_model_states.pt; done && echo global_step2 > ds/latest
for run in mega hf orbax ds; do echo "$run: $(ckpt ls $run --indices | tr '\n' ' ') $(ckpt last $run)"; done
ckpt ls ds --json | grep '"path"'
