/**
 * A bucket policy (version 2012-10-17, which S3 services accept) that lets everybody read the checkpoints of one run and nothing else:
 * their bytes, and the names of the objects in the run's folder, which are needed to find the newest. `runPath` is the run's folder within
 * the bucket.
 */
export function publicCheckpointsPolicy(bucket: string, runPath: string) {
  const everybody = { AWS: ['*'] };
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: everybody,
        Action: ['s3:GetObject'],
        Resource: [`arn:aws:s3:::${bucket}/${runPath}/checkpoints/*`],
      },
      {
        Effect: 'Allow',
        Principal: everybody,
        Action: ['s3:ListBucket'],
        Resource: [`arn:aws:s3:::${bucket}`],
        Condition: { StringLike: { 's3:prefix': [`${runPath}/*`] } },
      },
    ],
  };
}
