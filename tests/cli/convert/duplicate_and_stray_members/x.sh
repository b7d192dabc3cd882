for name in duplicate_same_name duplicate_other_case stray_member absolute_member dotdot_member offset_overlap gap_between_members two_archives; do
    ckpt convert $DATA/torch/bad/$name.pt y.h5; echo "$name: exit $?"; rm -f y.h5
done 2>&1 | sed "s|$DATA/||"
