/**
 * A bucket policy (version 2012-10-17, as S3 services take it) that lets everybody read the checkpoints of one run, and
 * nothing else: their bytes, and the names of what lies in the run's folder, which a search for the newest needs. `runPath` is the
 * run's folder within the bucket.
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
