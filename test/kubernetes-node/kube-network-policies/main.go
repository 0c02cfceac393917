// sigs.k8s.io/kube-network-policies for one node, with a kubeconfig: its own command expects to be in a pod.
// Arguments: the kubeconfig, the node's name.
package main

import (
	"context"
	"os"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		klog.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(
		client,
		factory.Networking().V1().NetworkPolicies(),
		factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(),
		nil, nil, nil, nil, // for AdminNetworkPolicies
		networkpolicy.Config{NodeName: os.Args[2]},
	)
	if err != nil {
		klog.Fatal(err)
	}
	ctx := context.Background()
	factory.Start(ctx.Done())
	klog.Fatal(controller.Run(ctx))
}
